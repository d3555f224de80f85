import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Finding, type Role, right, unknown, wrong } from './finding.ts'

/** What `systemctl show` says of a unit, by property. */
export type UnitState = Readonly<Record<string, string>>

const properties = ['LoadState', 'ActiveState', 'UnitFileState', 'Result', 'NeedDaemonReload']
const answerMilliseconds = 5000

/** The units of the role's workers, where systemd runs the machine (sd_booted(3) tells it by this folder). */
export async function checkUnits(role: Role, booted = '/run/systemd/system'): Promise<Finding[]> {
  if (!existsSync(booted)) return [unknown('units', 'systemd does not run this machine: nothing to look at')]
  const workers = role === 'both' ? (['detector', 'reader'] as const) : [role]
  return Promise.all(workers.map(async (worker) => unitFinding(worker, await unitState(worker))))
}

async function unitState(worker: 'detector' | 'reader'): Promise<UnitState | undefined> {
  const args = ['show', `--property=${properties.join(',')}`, unitOf(worker)]
  const run = promisify(execFile)
  const answer = await run('systemctl', args, { timeout: answerMilliseconds }).catch(() => undefined)
  const lines = answer?.stdout.trim().split('\n') ?? []
  return answer && Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)))
}

/** The reader must run; the detector runs once per trigger, so only a failed run of it is wrong. */
export function unitFinding(worker: 'detector' | 'reader', state: UnitState | undefined): Finding {
  const unit = unitOf(worker)
  if (!state) return unknown(unit, 'systemctl does not answer')
  const { LoadState, ActiveState, UnitFileState, Result, NeedDaemonReload } = state
  if (LoadState === 'not-found')
    return unknown(unit, 'is not installed; an instance gets it by "sudo ./deploy/install.sh"')
  if (LoadState !== 'loaded')
    return wrong(unit, 'settings', `cannot be loaded (${LoadState})`, `systemd-analyze verify ${unit}`)
  if (NeedDaemonReload === 'yes')
    return wrong(unit, 'settings', 'has changed on the disk', 'sudo systemctl daemon-reload')
  if (ActiveState === 'failed')
    return wrong(unit, 'unavailable', `has failed (${Result})`, `journalctl -u ${unit} -n 20 says why`)
  if (worker === 'detector') return right(unit, `installed, ${ActiveState}`)
  if (ActiveState !== 'active')
    return wrong(unit, 'unavailable', `is ${ActiveState}`, `sudo systemctl enable --now ${unit}`)
  if (UnitFileState === 'disabled')
    return wrong(unit, 'settings', 'does not start at boot', `sudo systemctl enable ${unit}`)
  return right(unit, 'installed, active')
}

function unitOf(worker: 'detector' | 'reader'): string {
  return `imgpipe-${worker}.service`
}
