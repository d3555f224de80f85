import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DetectorState, settings, temporaryDirectory } from '../status/state-fixture.ts'
import { imgpipe } from './imgpipe.ts'

describe('check-settings', () => {
  it('accepts valid settings without a word', async () => {
    expect(await imgpipe(['check-settings'], { IMGPIPE_BUCKET: 'images' })).toMatchObject({
      code: 0,
      text: '',
    })
  })

  it('exits with 78 and the sentence that a worker would end with', async () => {
    const file = join(temporaryDirectory(), 'imgpipe.json')
    writeFileSync(file, '{"minConfidance": 90}')
    const { code, text } = await imgpipe(['check-settings'], { IMGPIPE_CONFIG: file })
    expect(code).toBe(78)
    expect(text).toBe(`imgpipe: ${file}: "minConfidance" is not a setting: did you mean minConfidence?\n`)
  })
})

describe('a pipeline whose state would lie among that of another', () => {
  it.each([
    ['check-settings', 'runs'],
    ['check-settings', 'imgpipe'],
    ['read', 'runs'],
    ['detect', 'runs'],
  ])('is refused: %s of the pipeline "%s"', async (command, name) => {
    const stateDir = `/var/lib/imgpipe/${name}`
    const { code, text } = await imgpipe([command], { IMGPIPE_STATE_DIR: stateDir })
    expect(code).toBe(78)
    expect(text).toContain(`imgpipe: The state directory ${stateDir} is reserved for`)
  })

  it('is refused in any state directory', async () => {
    const stateDir = temporaryDirectory()
    writeFileSync(join(stateDir, 'reader.sqlite'), '')
    const { code } = await imgpipe(['check-settings'], { IMGPIPE_STATE_DIR: join(stateDir, 'detector') })
    expect(code).toBe(78)
  })

  it('is not a directory that only has that name', async () => {
    const stateDir = join(temporaryDirectory(), 'runs')
    expect(await imgpipe(['check-settings'], { IMGPIPE_STATE_DIR: stateDir })).toMatchObject({ code: 0 })
  })
})

describe('check-interrupted', () => {
  function check(stateDir: string, others: Record<string, string> = {}) {
    const { bucket, queue, region } = settings
    return imgpipe(['check-interrupted'], {
      IMGPIPE_STATE_DIR: stateDir,
      IMGPIPE_BUCKET: bucket,
      IMGPIPE_QUEUE: queue,
      AWS_REGION: region,
      ...others,
    })
  }

  /** A state directory with a run that has not ended. */
  async function interrupted(): Promise<{ stateDir: string; run: string; state: DetectorState }> {
    const stateDir = temporaryDirectory()
    const state = await DetectorState.open(stateDir)
    const run = '20261122T000001Z-aaaa'
    await state.runs.begin(run, { settings, fresh: false, at: Date.now(), queueCreatedAt: undefined })
    return { stateDir, run, state }
  }

  it('finds no run where there never was one', async () => {
    expect(await check(temporaryDirectory())).toMatchObject({
      code: 1,
      text: expect.stringMatching(/no run to resume/),
    })
  })

  it('finds a run that is unfinished', async () => {
    const { stateDir, run } = await interrupted()
    expect(await check(stateDir)).toMatchObject({ code: 0, text: expect.stringContaining(run) })
  })

  it('finds none once the run is done', async () => {
    const { stateDir, run, state } = await interrupted()
    const seq = state.runs.get(run)?.seq ?? 0
    await state.database.commit(() => state.runs.setState(seq, 'done'))
    expect(await check(stateDir)).toMatchObject({ code: 1 })
  })

  it('finds none with other settings: a start would begin a new run', async () => {
    const { stateDir } = await interrupted()
    expect(await check(stateDir, { IMGPIPE_LABEL: 'Truck' })).toMatchObject({ code: 1 })
  })
})
