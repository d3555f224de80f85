import { expect, it } from 'vitest'
import type { Host } from '../../src/doctor/host.ts'
import { checkUnits, type UnitState, unitFinding } from '../../src/doctor/units.ts'

const installed = { LoadState: 'loaded', UnitFileState: 'enabled', NeedDaemonReload: 'no', Result: 'success' }

const units: ['detector' | 'reader', UnitState | undefined, verdict: string, words: RegExp][] = [
  ['reader', { ...installed, ActiveState: 'active' }, 'ok', /active/],
  ['reader', { ...installed, ActiveState: 'inactive' }, 'fail', /systemctl enable --now imgpipe-reader/],
  [
    'reader',
    { ...installed, ActiveState: 'activating' },
    'fail',
    /not ready yet .*systemctl restart imgpipe-reader/,
  ],
  [
    'reader',
    { ...installed, ActiveState: 'failed', Result: 'exit-code' },
    'fail',
    /journalctl -u imgpipe-reader/,
  ],
  [
    'reader',
    { ...installed, ActiveState: 'active', UnitFileState: 'disabled' },
    'fail',
    /systemctl enable imgpipe-reader/,
  ],
  ['reader', { ...installed, ActiveState: 'active', NeedDaemonReload: 'yes' }, 'fail', /daemon-reload/],
  [
    'reader',
    { ...installed, LoadState: 'bad-setting', ActiveState: 'inactive' },
    'fail',
    /systemd-analyze verify/,
  ],
  ['detector', { ...installed, ActiveState: 'inactive', UnitFileState: 'static' }, 'ok', /inactive/],
  ['detector', { ...installed, ActiveState: 'activating', UnitFileState: 'static' }, 'ok', /activating/],
  ['detector', { ...installed, ActiveState: 'failed', Result: 'timeout' }, 'fail', /timeout.*journalctl/],
  [
    'detector',
    { ...installed, ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '75' },
    'warn',
    /was interrupted sudo systemctl start imgpipe-detector\.service$/,
  ],
  ['detector', { LoadState: 'not-found', ActiveState: 'inactive' }, 'skip', /install\.sh/],
  ['detector', undefined, 'skip', /does not answer/],
]

it.each(units)('%s %o is %s', (worker, state, verdict, words) => {
  const finding = unitFinding(worker, state)
  expect(finding.verdict).toBe(verdict)
  expect(finding.subject).toBe(`${worker} unit`)
  expect(`${finding.detail} ${'remedy' in finding ? finding.remedy : ''}`).toMatch(words)
})

it.each([
  ['enabled', undefined, / is resumed at boot$/],
  [
    'disabled',
    undefined,
    / is not resumed at boot \("sudo systemctl enable imgpipe-detector-resume\.service"/,
  ],
  ['disabled', 'second', /"sudo systemctl enable imgpipe-detector-resume@second\.service"/],
])(
  'says whether an interrupted run is resumed at boot: %s, pipeline %s',
  (UnitFileState, pipeline, words) => {
    const idle = { ...installed, ActiveState: 'inactive', UnitFileState: 'static' }
    const host = pipeline === undefined ? undefined : ({ pipeline } as Host)
    const finding = unitFinding('detector', idle, host, { LoadState: 'loaded', UnitFileState })
    expect(finding).toMatchObject({ verdict: 'ok', detail: expect.stringMatching(words) })
  },
)

it('checks no units where systemd does not run the machine', async () => {
  expect(await checkUnits(['detector', 'reader'], undefined, '/no/such/directory')).toMatchObject([
    { verdict: 'skip' },
  ])
})
