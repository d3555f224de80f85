import { writeFileSync } from 'node:fs'

/** Loaded into a measured process by `node --import`: writes at its end what it has used. */
process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const usage = { cpuMs: (userCPUTime + systemCPUTime) / 1000, peakMb: maxRSS / 1024 }
  writeFileSync(process.env.BENCH_USAGE_FILE ?? '/dev/null', JSON.stringify(usage))
})
