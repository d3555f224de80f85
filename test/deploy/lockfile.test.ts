import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { project } from './command.ts'

interface Locked {
  version?: string
  optionalDependencies?: Record<string, string>
}

/**
 * npm leaves out of the lockfile what the registry did not have at that moment, such as a build for another
 * platform; from 11.21 on `npm ci` refuses such a lockfile everywhere.
 */
test('the lockfile names every optional package, for every platform', () => {
  const { packages } = JSON.parse(readFileSync(`${project}package-lock.json`, 'utf8')) as {
    packages: Record<string, Locked>
  }
  const lacking = Object.entries(packages).flatMap(([directory, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isLocked(packages, directory, name)),
  )
  expect(lacking).toEqual([])
})

/** As Node looks for it: in the package's own node_modules, then in those around it. */
function isLocked(packages: Record<string, Locked>, directory: string, name: string): boolean {
  for (let place = directory; ; place = place.slice(0, Math.max(0, place.lastIndexOf('node_modules/') - 1))) {
    if (`${place === '' ? '' : `${place}/`}node_modules/${name}` in packages) return true
    if (place === '') return false
  }
}
