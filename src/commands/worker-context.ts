import { createClients } from '../aws/clients.ts'
import { Troubles } from '../aws/troubles.ts'
import type { Settings } from '../config/schema.ts'
import { loadSettings } from '../config/settings.ts'
import { readSurroundings } from '../config/surroundings.ts'
import { lockStateDir } from '../daemon/instance-lock.ts'
import { createLog, type Log } from '../daemon/log.ts'
import { keepHeapSmall } from '../daemon/small-heap.ts'
import { stopOnSignals } from '../daemon/stop-signal.ts'
import { connectServiceManager } from '../daemon/systemd.ts'

/**
 * Builds what both workers work with, and takes their place on the state folder.
 *
 * @throws {ImgpipeError} for bad settings, or when another one of the role is at work there
 */
export async function workerContext(role: 'detector' | 'reader', configFile: string | undefined) {
  keepHeapSmall()
  const settings = loadSettings({ configFile })
  const surroundings = readSurroundings()
  const manager = await connectServiceManager(surroundings)
  const log = stderrLog(settings, surroundings.logsToJournal)
  const stop = stopOnSignals()
  await lockStateDir(settings.stateDir, role)
  const clients = createClients(settings)
  return { settings, clients, log, manager, troubles: new Troubles(log), stop }
}

function stderrLog({ logLevel }: Settings, toJournal: boolean): Log {
  return createLog({ level: logLevel, toJournal, write: (line) => process.stderr.write(line) })
}
