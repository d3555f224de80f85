import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Role as Worker } from '../state/role.ts'
import { type Finding, fail, ok, skip } from './finding.ts'

/** What `systemctl show` prints about a unit, by property. */
export type UnitState = Readonly<Record<string, string>>

const properties = ['LoadState', 'ActiveState', 'UnitFileState', 'Result', 'NeedDaemonReload']
const answerMs = 5000

/** The units of the workers, where systemd runs the machine (sd_booted(3) knows it by this directory). */
export async function checkUnits(
  workers: readonly Worker[],
  booted = '/run/systemd/system',
): Promise<Finding[]> {
  if (!existsSync(booted)) return [skip('units', 'not checked: systemd does not run this machine')]
  return Promise.all(workers.map(async (worker) => unitFinding(worker, await unitState(worker))))
}

async function unitState(worker: Worker): Promise<UnitState | undefined> {
  const args = ['show', `--property=${properties.join(',')}`, unitOf(worker)]
  const run = promisify(execFile)
  const answer = await run('systemctl', args, { timeout: answerMs }).catch(() => undefined)
  const lines = answer?.stdout.trim().split('\n') ?? []
  return answer && Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)))
}

/** The reader must run; the detector runs once per trigger, so only a failed run of it is a failure. */
export function unitFinding(worker: Worker, state: UnitState | undefined): Finding {
  const unit = unitOf(worker)
  const subject = `${worker} unit`
  if (!state) return skip(subject, 'not checked: systemctl does not answer')
  const { LoadState, ActiveState, UnitFileState, Result, NeedDaemonReload } = state
  if (LoadState === 'not-found') return skip(subject, 'not installed; run "sudo ./deploy/install.sh"')
  if (LoadState !== 'loaded')
    return fail(
      subject,
      'settings',
      `${unit} cannot be loaded (${LoadState})`,
      `systemd-analyze verify ${unit}`,
    )
  if (NeedDaemonReload === 'yes')
    return fail(subject, 'settings', `${unit} has changed on disk`, 'sudo systemctl daemon-reload')
  if (ActiveState === 'failed')
    return fail(subject, 'unavailable', `${unit} has failed (${Result})`, `see "journalctl -u ${unit} -n 20"`)
  if (worker === 'detector') return ok(subject, `installed, ${ActiveState}`)
  if (ActiveState !== 'active')
    return fail(subject, 'unavailable', `${unit} is ${ActiveState}`, `sudo systemctl enable --now ${unit}`)
  if (UnitFileState === 'disabled')
    return fail(subject, 'settings', `${unit} does not start at boot`, `sudo systemctl enable ${unit}`)
  return ok(subject, 'installed, active')
}

function unitOf(worker: Worker): string {
  return `imgpipe-${worker}.service`
}
