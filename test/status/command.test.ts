import { afterAll, expect, it } from 'vitest'
import { imgpipe } from '../commands/imgpipe.ts'
import { killLeftWorkers, WorkerProcess } from '../support/worker-process.ts'
import { parseOpenMetrics } from './openmetrics-format.ts'
import { DetectorState, runId, temporaryDirectory } from './state-fixture.ts'

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

async function stateWithRun(): Promise<string> {
  const stateDir = temporaryDirectory()
  const state = await DetectorState.open(stateDir)
  await state.begin(runId(1), { processed: 3, total: 10 })
  return stateDir
}

it('prints workers and runs', async () => {
  const { code, lines } = await imgpipe(['status'], { IMGPIPE_STATE_DIR: await stateWithRun() })
  expect(code).toBe(0)
  expect(lines.slice(0, 2)).toEqual(['detector: not running, 0 Rekognition calls answered today', ''])
  expect(lines).toContain('  detector  interrupted: 3 of 10 images, 0 cars')
})

it('prints JSON with the settings that it was read with', async () => {
  const stateDir = await stateWithRun()
  const environment = { IMGPIPE_STATE_DIR: stateDir, IMGPIPE_MAX_CALLS_PER_DAY: '500' }
  const { text } = await imgpipe(['status', '--json'], environment)
  const status = JSON.parse(text)
  expect(Object.keys(status)).toEqual(['stateDir', 'maxCallsPerDay', 'detector', 'reader', 'runs'])
  expect(status).toMatchObject({ stateDir, maxCallsPerDay: 500, reader: null, runs: [{ run: runId(1) }] })
})

it('prints metrics for a monitoring system', async () => {
  const environment = { IMGPIPE_STATE_DIR: await stateWithRun(), IMGPIPE_MAX_CALLS_PER_DAY: '500' }
  const { code, text } = await imgpipe(['status', '--openmetrics'], environment)
  expect(code).toBe(0)
  const families = parseOpenMetrics(text)
  const labels = { role: 'detector' }
  expect(families.get('imgpipe_run_images')?.samples).toEqual([
    { name: 'imgpipe_run_images', labels, value: 3 },
  ])
  expect(families.get('imgpipe_cost_limit_dollars')?.samples).toMatchObject([{ value: 0.5 }])
})

it.each(['--json', '--watch'])('rejects --openmetrics with %s', async (option) => {
  const { code, text } = await imgpipe(['status', '--openmetrics', option])
  expect([code, text]).toEqual([64, expect.stringContaining(`cannot be used with option '${option}'`)])
})

it.each(['SIGINT', 'SIGTERM'] as const)(
  '--watch continues into a pipe until %s, and exits with 0',
  async (signal) => {
    const watch = WorkerProcess.start({
      arguments: ['status', '--watch', '--json'],
      environment: { IMGPIPE_STATE_DIR: await stateWithRun() },
    })
    await watch.said(/^\{.*\}\n\{.*\}\n/)
    expect(await watch.signal(signal).exited).toEqual({ code: 0, signal: null })
    for (const line of watch.log.trimEnd().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ runs: [{ run: runId(1) }] })
    }
  },
)

it('says that there are no runs yet', async () => {
  const environment = { IMGPIPE_STATE_DIR: '/no/such/directory' }
  const { code, text } = await imgpipe(['status'], environment)
  expect([code, text]).toEqual([0, 'No runs in /no/such/directory yet: "imgpipe detect" starts one.\n'])
  const json = JSON.parse((await imgpipe(['status', '--json'], environment)).text)
  expect(json).toMatchObject({ detector: null, reader: null, runs: [] })
})

it('says that the state directory is a file', async () => {
  const { code, text } = await imgpipe(['status'], { IMGPIPE_STATE_DIR: '/dev/null' })
  expect([code, text]).toEqual([78, expect.stringContaining('The state directory /dev/null is a file')])
})
