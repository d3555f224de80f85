import { expect, it } from 'vitest'
import { checkUnits, type UnitState, unitFinding } from '../../src/doctor/units.ts'

const installed = { LoadState: 'loaded', UnitFileState: 'enabled', NeedDaemonReload: 'no', Result: 'success' }

const units: ['detector' | 'reader', UnitState | undefined, verdict: string, words: RegExp][] = [
  ['reader', { ...installed, ActiveState: 'active' }, 'right', /active/],
  ['reader', { ...installed, ActiveState: 'inactive' }, 'wrong', /systemctl enable --now imgpipe-reader/],
  [
    'reader',
    { ...installed, ActiveState: 'failed', Result: 'exit-code' },
    'wrong',
    /journalctl -u imgpipe-reader/,
  ],
  [
    'reader',
    { ...installed, ActiveState: 'active', UnitFileState: 'disabled' },
    'wrong',
    /systemctl enable imgpipe-reader/,
  ],
  ['reader', { ...installed, ActiveState: 'active', NeedDaemonReload: 'yes' }, 'wrong', /daemon-reload/],
  [
    'reader',
    { ...installed, LoadState: 'bad-setting', ActiveState: 'inactive' },
    'wrong',
    /systemd-analyze verify/,
  ],
  ['detector', { ...installed, ActiveState: 'inactive', UnitFileState: 'static' }, 'right', /inactive/],
  ['detector', { ...installed, ActiveState: 'activating', UnitFileState: 'static' }, 'right', /activating/],
  ['detector', { ...installed, ActiveState: 'failed', Result: 'timeout' }, 'wrong', /timeout.*journalctl/],
  ['detector', { LoadState: 'not-found', ActiveState: 'inactive' }, 'unknown', /install\.sh/],
  ['detector', undefined, 'unknown', /does not answer/],
]

it.each(units)('%s %o is %s', (worker, state, verdict, words) => {
  const finding = unitFinding(worker, state)
  expect(finding.verdict).toBe(verdict)
  expect(`${finding.said} ${finding.verdict === 'wrong' ? finding.remedy : ''}`).toMatch(words)
})

it('looks at nothing where systemd does not run the machine', async () => {
  expect(await checkUnits('both', '/no/such/folder')).toMatchObject([{ verdict: 'unknown' }])
})
