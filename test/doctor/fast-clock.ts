// Loaded before the program: its clock is ten minutes fast.
const now = Date.now
Date.now = () => now() + 600_000
