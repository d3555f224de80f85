import type { Clients } from '../aws/clients.ts'
import type { Settings } from '../config/schema.ts'
import type { OutageLog } from '../flow/outage-log.ts'
import type { WaitForSpace } from '../host/disk.ts'
import type { Log } from '../host/log.ts'
import type { ServiceManager } from '../host/service-manager.ts'
import type { ShutdownSignals } from '../host/shutdown.ts'
import type { StateDatabase } from './database.ts'

/** What both workers work with; made once per process. */
export interface WorkerContext {
  readonly settings: Settings
  readonly clients: Clients
  readonly database: StateDatabase
  readonly log: Log
  readonly manager: ServiceManager
  readonly outages: OutageLog
  readonly shutdown: ShutdownSignals
  /** reports a full disk and waits a little */
  readonly waitForSpace: WaitForSpace
  /** somebody sits at a terminal and reads the log */
  readonly isInteractive: boolean
  /** how long missing or expired credentials are waited for: not at all where no new ones can come */
  readonly credentialsMs: number
}

/** What is done while a full disk is waited for, as the outage log names it. */
export const diskWork = 'write to the disk'
