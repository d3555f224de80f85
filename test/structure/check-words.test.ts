import { describe, expect, it } from 'vitest'
import { findWords } from '../../scripts/check-words.ts'

describe('the check of words', () => {
  it.each([
    ['const putPictures = 1', 'Picture', 'image'],
    ['/** The state folders. */', 'folder', 'directory'],
    ['// what it had in hand', 'in hand', 'in flight, in progress'],
    ['const mostInHand = 1', 'InHand', 'in flight, in progress'],
  ])('finds %s', (line, found, use) => {
    expect(findWords('a.ts', `\n${line}\n`)).toEqual([{ place: 'a.ts:2', found, use }])
  })

  it('finds words in file names', () => {
    expect(findWords('src/picture.ts', '')).toMatchObject([{ place: 'src/picture.ts', found: 'picture' }])
  })

  it.each(['imgpipe demo ~/Pictures', 'an image in a directory', 'a handle'])('accepts %s', (line) => {
    expect(findWords('a.ts', line)).toEqual([])
  })
})
