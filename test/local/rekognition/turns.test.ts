import { describe, expect, it } from 'vitest'
import { Turns } from '../../../src/local/rekognition/turns.ts'

/** Tasks that end when they are told to, and the order in which they have begun. */
function tasks(turns: Turns) {
  const begun: string[] = []
  const run = (name: string, signal = new AbortController().signal) => {
    const work = Promise.withResolvers<void>()
    const done = turns.run(signal, () => {
      begun.push(name)
      return work.promise
    })
    return { done, end: work.resolve, fail: work.reject }
  }
  return { begun, run }
}

describe('Turns', () => {
  it('lets so many run at a time, in the order of their coming', async () => {
    const { begun, run } = tasks(new Turns(2))
    const [a, b, c, d] = [run('a'), run('b'), run('c'), run('d')]
    await Promise.resolve()
    expect(begun).toEqual(['a', 'b'])
    b.end()
    await b.done
    expect(begun).toEqual(['a', 'b', 'c'])
    for (const task of [a, c, d]) task.end()
    await Promise.all([a.done, c.done, d.done])
    expect(begun).toEqual(['a', 'b', 'c', 'd'])
  })

  it('goes on after a task that fails', async () => {
    const { begun, run } = tasks(new Turns(1))
    const [a, b] = [run('a'), run('b')]
    a.fail(new Error('broken'))
    await expect(a.done).rejects.toThrow('broken')
    b.end()
    await b.done
    expect(begun).toEqual(['a', 'b'])
  })

  it('drops who has gone while waiting, and only those', async () => {
    const { begun, run } = tasks(new Turns(1))
    const gone = new AbortController()
    const [a, b, c] = [run('a'), run('b', gone.signal), run('c')]
    gone.abort(new Error('gone'))
    await expect(b.done).rejects.toThrow('gone')
    a.end()
    c.end()
    await Promise.all([a.done, c.done])
    expect(begun).toEqual(['a', 'c'])
    await expect(run('d', gone.signal).done).rejects.toThrow('gone')
  })
})
