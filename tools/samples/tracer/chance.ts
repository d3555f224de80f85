/** A row of numbers from 0 to 1 that is the same in every run: mulberry32. */
export type Dice = () => number

export function diceFor(seed: number): Dice {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Smooth noise from 0 to 1 over the plane, one bump per unit. */
export function noise(x: number, y: number): number {
  const column = Math.floor(x)
  const row = Math.floor(y)
  const right = smooth(x - column)
  const down = smooth(y - row)
  const top = blend(lattice(column, row), lattice(column + 1, row), right)
  const bottom = blend(lattice(column, row + 1), lattice(column + 1, row + 1), right)
  return blend(top, bottom, down)
}

/** Noise upon noise, each octave twice as fine and half as strong: clouds, rock, asphalt. */
export function cloudy(x: number, y: number, octaves: number): number {
  let sum = 0
  let strength = 0.5
  let fineness = 1
  for (let octave = 0; octave < octaves; octave += 1) {
    sum += strength * noise(x * fineness + octave * 17.3, y * fineness - octave * 9.1)
    strength /= 2
    fineness *= 2.03
  }
  return sum / (1 - 0.5 ** octaves)
}

const smooth = (share: number) => share * share * (3 - 2 * share)
const blend = (a: number, b: number, share: number) => a + (b - a) * share

function lattice(x: number, y: number): number {
  let mixed = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39)
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296
}
