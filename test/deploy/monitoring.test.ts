import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { metrics } from '../../src/status/metrics.ts'
import { sampleName } from '../../src/status/openmetrics.ts'
import { waitingReasons } from '../../src/status/waiting-reason.ts'
import { parseOpenMetrics } from '../status/openmetrics-format.ts'
import { DetectorState, runId } from '../status/state-fixture.ts'
import { has, project, run } from './command.ts'

const units = `${project}deploy/systemd`
const service = `${units}/examples/imgpipe-metrics.service`
const withoutSystemd = !has('systemd-analyze')

function textOf(path: string): string {
  return readFileSync(`${project}${path}`, 'utf8')
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(`${tmpdir()}/metrics-`)
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

describe('docs/continuous.md', () => {
  test('lists every metric', () => {
    const rows = metrics.map((metric) => {
      const labels = (metric.labels ?? []).map((label) => `\`${label}\``).join(', ')
      return `| \`${sampleName(metric)}\` | ${metric.type} | ${labels} | ${metric.help} |`
    })
    const listed = textOf('docs/continuous.md')
      .split('\n')
      .filter((line) => line.startsWith('| `imgpipe_'))
    expect(listed).toEqual(rows)
  })

  test('lists every reason, and an alert that is one of the rules', () => {
    const page = textOf('docs/continuous.md')
    expect(page).toContain(`is one of ${waitingReasons.map((reason) => `\`${reason}\``).join(', ')};`)
    const shown: Rule[] = parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? '')
    expect(shown).toHaveLength(1)
    const known = rules().map(({ alert, expr }) => ({ alert, expr }))
    for (const { alert, expr } of shown) expect(known).toContainEqual({ alert, expr })
  })
})

interface Rule {
  readonly alert: string
  readonly expr: string
}

function rules(): Rule[] {
  const { groups }: { groups: { rules: Rule[] }[] } = parse(textOf('deploy/examples/prometheus-rules.yaml'))
  return groups.flatMap(({ rules }) => rules)
}

function dashboardQueries(): string[] {
  const { panels }: { panels: { targets: { expr: string }[] }[] } = JSON.parse(
    textOf('deploy/examples/grafana-dashboard.json'),
  )
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
}

test('alerts and dashboard query metrics, labels and values that exist', () => {
  const names = metrics.map(sampleName)
  const labels = ['role', 'instance', ...metrics.flatMap(({ labels = [] }) => labels)]
  const queries = [...rules().map(({ expr }) => expr), ...dashboardQueries()]
  expect(queries.length).toBeGreaterThan(15)
  for (const query of queries.filter((query) => !query.includes('node_textfile'))) {
    const used = [...query.matchAll(/\bimgpipe_\w+/g)].map(([name]) => name)
    expect(used.length, query).toBeGreaterThan(0)
    for (const name of used) expect(names).toContain(name)
    for (const [, label = ''] of query.matchAll(/(\w+)(?:!=|=~|=)"/g)) expect(labels).toContain(label)
    for (const [, reason = ''] of query.matchAll(/reason!?="([^"]+)"/g))
      expect(waitingReasons).toContain(reason)
  }
})

describe('imgpipe-metrics.service', () => {
  const command = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(readFileSync(service, 'utf8'))?.[1] ?? ''
  const here = command
    .replace('/opt/imgpipe/current/bin/node', process.execPath)
    .replace('/opt/imgpipe/current/', project)

  function write(directory: string, stateDir: string): { status: number | null; said: string } {
    const script = `cd '${directory}' && export IMGPIPE_STATE_DIR='${stateDir}' && ${here}`
    return run('/bin/sh', ['-c', script])
  }

  test('replaces the file in one step, and leaves it when the status cannot be read', async () => {
    const [directory, stateDir] = [temporaryDirectory(), temporaryDirectory()]
    const detector = await DetectorState.open(stateDir)
    await detector.begin(runId(1), { processed: 3 })
    writeFileSync(`${directory}/imgpipe.prom`, 'old\n')
    expect(write(directory, '/dev/null').status).toBe(78)
    expect(readFileSync(`${directory}/imgpipe.prom`, 'utf8')).toBe('old\n')
    expect(write(directory, stateDir)).toEqual({ status: 0, said: '' })
    const families = parseOpenMetrics(readFileSync(`${directory}/imgpipe.prom`, 'utf8'))
    expect(families.get('imgpipe_run_images')?.samples).toMatchObject([{ value: 3 }])
    expect(readdirSync(directory)).toEqual(['imgpipe.prom'])
  })

  test('has the sandbox of the workers, and no network', () => {
    const hardening =
      /^(User|Group|NoNew|Capab|Ambient|Protect|Private|Proc|Device|Restrict|Lock|Remove|Keyring|SystemCall|Memory|Tasks|Limit|UMask)\w*=/
    const lines = (path: string) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => hardening.test(line))
    const networked = 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6'
    const shared = lines(`${units}/imgpipe-detector-resume.service`).filter((line) => line !== networked)
    expect(lines(service).toSorted()).toEqual(
      [...shared, 'PrivateNetwork=yes', 'RestrictAddressFamilies=AF_UNIX'].toSorted(),
    )
  })

  test.skipIf(withoutSystemd)(
    'is accepted with its timer, and is exposed by 1.1 at most (needs systemd-analyze)',
    () => {
      const copies = temporaryDirectory()
      for (const name of ['imgpipe-metrics.service', 'imgpipe-metrics.timer'])
        writeFileSync(`${copies}/${name}`, readFileSync(`${units}/examples/${name}`))
      const paths = readdirSync(copies).map((name) => `${copies}/${name}`)
      expect(run('systemd-analyze', ['verify', ...paths])).toEqual({ status: 0, said: '' })
      const { status, said } = run('systemd-analyze', [
        'security',
        '--offline=yes',
        '--threshold=11',
        service,
      ])
      expect(status, said).toBe(0)
    },
  )
})
