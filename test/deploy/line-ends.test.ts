import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { has, project } from './command.ts'

/** On Windows Git writes CRLF unless a repository decides otherwise, and bash does not run such a script. */
test.skipIf(!has('git'))('scripts end their lines with LF, also in an archive made on Windows', () => {
  const archive = execFileSync(
    'git',
    ['-c', 'core.autocrlf=true', 'archive', '--format=tar', 'HEAD', 'deploy'],
    { cwd: project },
  )
  expect(archive.includes('#!/usr/bin/env bash\n')).toBe(true)
  expect(archive.includes('\r\n')).toBe(false)
})
