import { describe, expect, it } from 'vitest'
import { Semaphore } from '../../../src/local/rekognition/semaphore.ts'

/** Tasks that end on command, and the order in which they started. */
function tasks(semaphore: Semaphore) {
  const started: string[] = []
  const run = (name: string, signal = new AbortController().signal) => {
    const work = Promise.withResolvers<void>()
    const done = semaphore.run(signal, () => {
      started.push(name)
      return work.promise
    })
    return { done, end: work.resolve, fail: work.reject }
  }
  return { started, run }
}

describe('Semaphore', () => {
  it('limits concurrency and starts tasks in FIFO order', async () => {
    const { started, run } = tasks(new Semaphore(2))
    const [a, b, c, d] = [run('a'), run('b'), run('c'), run('d')]
    await Promise.resolve()
    expect(started).toEqual(['a', 'b'])
    b.end()
    await b.done
    expect(started).toEqual(['a', 'b', 'c'])
    for (const task of [a, c, d]) task.end()
    await Promise.all([a.done, c.done, d.done])
    expect(started).toEqual(['a', 'b', 'c', 'd'])
  })

  it('continues after a task that fails', async () => {
    const { started, run } = tasks(new Semaphore(1))
    const [a, b] = [run('a'), run('b')]
    a.fail(new Error('broken'))
    await expect(a.done).rejects.toThrow('broken')
    b.end()
    await b.done
    expect(started).toEqual(['a', 'b'])
  })

  it('drops aborted waiting tasks, and only those', async () => {
    const { started, run } = tasks(new Semaphore(1))
    const aborted = new AbortController()
    const [a, b, c] = [run('a'), run('b', aborted.signal), run('c')]
    aborted.abort(new Error('aborted'))
    await expect(b.done).rejects.toThrow('aborted')
    a.end()
    c.end()
    await Promise.all([a.done, c.done])
    expect(started).toEqual(['a', 'c'])
    await expect(run('d', aborted.signal).done).rejects.toThrow('aborted')
  })
})
