import { credentialsCommand, findInstallation, type Installation } from './installation.ts'
import { blockerOf, currentUser } from './users.ts'

/**
 * How an installed host gets credentials, as a clause.
 *
 * @returns undefined where imgpipe is not installed: there the AWS SDK looks in places of its own
 */
export function credentialsAdvice(): string | undefined {
  const installation = findInstallation()
  if (!installation) return undefined
  return hiddenFile(installation) ?? `install them with "${credentialsCommand}", or use an instance role`
}

/** To the AWS SDK a file that it may not read is no file. */
function hiddenFile({ credentialsFile: path, user: userOfUnits }: Installation): string | undefined {
  const user = currentUser()
  if (blockerOf(user, path) === undefined) return undefined
  const remedy =
    user.uid === userOfUnits?.uid ? `install them again with "${credentialsCommand}"` : 'use sudo'
  return `${path} cannot be read by ${user.name}: ${remedy}`
}
