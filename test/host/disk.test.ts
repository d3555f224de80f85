import { describe, expect, test, vi } from 'vitest'
import { retryOnFullDisk, type WriteObstacle } from '../../src/host/disk.ts'

/** An error of the file system. */
function failure(code: string): Error {
  return Object.assign(new Error(`${code}: failed, open '/x'`), { code, syscall: 'open' })
}

describe('a write that fails', () => {
  test.each<[string, WriteObstacle]>([
    ['ENOSPC', 'full'],
    ['EDQUOT', 'full'],
    ['EMFILE', 'exhausted'],
    ['ENFILE', 'exhausted'],
    ['ENOMEM', 'exhausted'],
  ])('with %s is repeated', async (code, obstacle) => {
    const wait = vi.fn(async () => 'retry' as const)
    const write = vi.fn(async () => 'written')
    write.mockRejectedValueOnce(failure(code)).mockRejectedValueOnce(failure(code))
    expect(await retryOnFullDisk('/x', wait, write)).toBe('written')
    expect(wait.mock.calls).toEqual([
      ['/x', obstacle],
      ['/x', obstacle],
    ])
  })

  test('ends the program when it stops meanwhile', async () => {
    const write = () => Promise.reject(failure('EMFILE'))
    await expect(retryOnFullDisk('/x', async () => 'stop', write)).rejects.toThrow(
      /^Cannot write \/x \(EMFILE/,
    )
  })

  test('for another reason ends the program, and what is no failure of a write is passed on', async () => {
    const wait = vi.fn(async () => 'retry' as const)
    const readOnly = retryOnFullDisk('/x', wait, () => Promise.reject(failure('EROFS')))
    await expect(readOnly).rejects.toMatchObject({ exitCode: 74 })
    const bug = retryOnFullDisk('/x', wait, () => Promise.reject(new RangeError('a bug')))
    await expect(bug).rejects.toThrow(RangeError)
    expect(wait).not.toHaveBeenCalled()
  })
})
