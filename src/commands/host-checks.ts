import type { Command } from 'commander'
import type { Settings } from '../config/schema.ts'
import { loadSettings } from '../config/settings.ts'
import { isSameRun } from '../detector/earlier-runs.ts'
import { readEnvironment } from '../host/environment.ts'
import { refuseReservedStateDirectory } from '../host/reserved-directories.ts'
import { StateDatabase } from '../state/database.ts'
import { DetectorRuns } from '../state/detector-runs.ts'
import { databasePath } from '../state/role.ts'
import { schemaVersion } from '../state/schema.ts'
import { stderrLog } from './worker-context.ts'

/** Adds what deploy/install.sh and the units ask the program; people ask `imgpipe doctor` and `imgpipe status`. */
export function addHostChecks(program: Command): void {
  program
    .command('check-settings', { hidden: true })
    .description('exit with 0 if the settings are valid, otherwise with 78')
    .action((_options: object, command: Command) => {
      refuseReservedStateDirectory(settingsOf(command).stateDir)
    })
  program
    .command('check-interrupted', { hidden: true })
    .description('exit with 0 if the next start of the detector resumes a run, otherwise with 1')
    .action((_options: object, command: Command) => {
      const settings = settingsOf(command)
      const run = interruptedRun(settings)
      const log = stderrLog(settings.logLevel, readEnvironment().logsToJournal)
      log.info(run === undefined ? 'no run to resume' : `run ${run} is unfinished`)
      if (run === undefined) process.exitCode = 1
    })
}

function settingsOf(command: Command): Settings {
  const { config } = command.optsWithGlobals<{ config?: string }>()
  return loadSettings({ configFile: config })
}

/**
 * @returns the run that a start with these settings resumes; with others it would be abandoned, and a new one would start
 * @throws {ImgpipeError} when the database cannot be read
 */
function interruptedRun(settings: Settings): string | undefined {
  const database = StateDatabase.openReadOnly(databasePath(settings.stateDir, 'detector'), schemaVersion)
  if (!database) return undefined
  try {
    const runs = new DetectorRuns(database)
    return runs
      .unfinished()
      .find((row) => isSameRun(row.settings, settings) && runs.isNumberedWithoutGaps(row.seq))?.run
  } finally {
    void database.close()
  }
}
