import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { exitCodes } from '../host/exit-codes.ts'
import type { Role as Worker } from '../state/role.ts'
import { type Finding, fail, ok, skip, warn } from './finding.ts'
import type { Host } from './host.ts'

/** What `systemctl show` prints about a unit, by property. */
export type UnitState = Readonly<Record<string, string>>

const properties = [
  'LoadState',
  'ActiveState',
  'UnitFileState',
  'Result',
  'ExecMainStatus',
  'NeedDaemonReload',
]
const answerMs = 5000
const interrupted = String(exitCodes.interrupted)

/** The units of the workers, where systemd runs the machine (sd_booted(3) knows it by this directory). */
export async function checkUnits(
  workers: readonly Worker[],
  host?: Host,
  booted = '/run/systemd/system',
): Promise<Finding[]> {
  if (!existsSync(booted)) return [skip('units', 'not checked: systemd does not run this machine')]
  return Promise.all(
    workers.map(async (worker) => {
      const [state, resume] = await Promise.all([
        unitState(unitOf(worker, host?.pipeline)),
        worker === 'detector' ? unitState(resumeUnitOf(host?.pipeline)) : undefined,
      ])
      return unitFinding(worker, state, host, resume)
    }),
  )
}

async function unitState(unit: string): Promise<UnitState | undefined> {
  const args = ['show', `--property=${properties.join(',')}`, unit]
  const run = promisify(execFile)
  const answer = await run('systemctl', args, { timeout: answerMs }).catch(() => undefined)
  const lines = answer?.stdout.trim().split('\n') ?? []
  return answer && Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)))
}

/**
 * The reader must run; the detector runs once per trigger, so only a failed run of it is a failure.
 *
 * @param resume state of the unit that resumes the detector's run at boot
 */
export function unitFinding(
  worker: Worker,
  state: UnitState | undefined,
  host?: Host,
  resume?: UnitState,
): Finding {
  const unit = unitOf(worker, host?.pipeline)
  const subject = `${worker} unit`
  if (!state) return skip(subject, 'not checked: systemctl does not answer')
  const { LoadState, ActiveState, UnitFileState, Result, ExecMainStatus, NeedDaemonReload } = state
  if (LoadState === 'not-found') return skip(subject, `not installed; run "sudo ${installerOf(host)}"`)
  if (LoadState !== 'loaded')
    return fail(
      subject,
      'settings',
      `${unit} cannot be loaded (${LoadState})`,
      `systemd-analyze verify ${unit}`,
    )
  if (NeedDaemonReload === 'yes')
    return fail(subject, 'settings', `${unit} has changed on disk`, 'sudo systemctl daemon-reload')
  if (worker === 'detector' && ActiveState === 'failed' && ExecMainStatus === interrupted)
    return warn(subject, `${unit} was interrupted`, `sudo systemctl start ${unit}`)
  if (ActiveState === 'failed')
    return fail(subject, 'unavailable', `${unit} has failed (${Result})`, `see "journalctl -u ${unit} -n 20"`)
  if (worker === 'detector')
    return ok(subject, `installed, ${ActiveState}${afterReboot(resume, host?.pipeline)}`)
  if (ActiveState === 'activating')
    return fail(
      subject,
      'unavailable',
      `${unit} is not ready yet`,
      `fix what the other checks have found, then "sudo systemctl restart ${unit}"; its log says what it waits for`,
    )
  if (ActiveState !== 'active')
    return fail(subject, 'unavailable', `${unit} is ${ActiveState}`, `sudo systemctl enable --now ${unit}`)
  if (UnitFileState === 'disabled')
    return fail(subject, 'settings', `${unit} does not start at boot`, `sudo systemctl enable ${unit}`)
  return ok(subject, 'installed, active')
}

/** A run that a reboot interrupts waits for somebody to start it, unless a unit does. */
function afterReboot(resume: UnitState | undefined, pipeline: string | undefined): string {
  if (resume?.LoadState !== 'loaded') return ''
  return resume.UnitFileState === 'enabled'
    ? '; a run that a reboot interrupts is resumed at boot'
    : `; a run that a reboot interrupts is not resumed at boot ("sudo systemctl enable ${resumeUnitOf(pipeline)}" changes that)`
}

function resumeUnitOf(pipeline: string | undefined): string {
  return `imgpipe-detector-resume${pipeline === undefined ? '' : `@${pipeline}`}.service`
}

/** @param pipeline a further one, whose units are instances of a template */
export function unitOf(worker: Worker, pipeline: string | undefined): string {
  return `imgpipe-${worker}${pipeline === undefined ? '' : `@${pipeline}`}.service`
}

function installerOf(host: Host | undefined): string {
  return host ? '/opt/imgpipe/current/deploy/install.sh' : './deploy/install.sh'
}
