import { expect, test } from 'vitest'
import { parseEnvFile } from '../../src/host/env-file.ts'

test('NAME=VALUE lines, as systemd reads them', () => {
  const text = `# comment\n; comment\nA=1\r\n  B = 2\nC="two words"\nD='x'\nE="x\nF=a=b=\nexport G=1\n  export H=2\n1X=1\nnothing\nI=`
  expect(parseEnvFile(text)).toEqual({
    values: { A: '1', C: 'two words', D: 'x', E: '"x', F: 'a=b=', I: '' },
    exported: ['G', 'H'],
  })
})
