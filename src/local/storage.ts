import { type BuildAppOptions, buildApp } from 'fauxqs'
import { ImgpipeError } from '../host/exit-codes.ts'
import { listInKeyOrder, type S3Store } from './storage-listing.ts'

type FauxqsStores = NonNullable<BuildAppOptions['stores']>
type FauxqsPersistence = NonNullable<FauxqsStores['sqsStore']['persistence']>
export type FauxqsApp = ReturnType<typeof buildApp>

/** Rekognition's access to S3: the size is read first, because objects that are too large are never loaded. */
export interface StoredObjects {
  /** @returns undefined when there is no such bucket or no such key */
  size(bucket: string, key: string): number | undefined
  /** @returns undefined when there is no such bucket or no such key */
  bytes(bucket: string, key: string): Uint8Array | undefined
}

export interface Storage {
  /** fauxqs: serves S3 and SQS requests. */
  readonly app: FauxqsApp
  readonly objects: StoredObjects
  close(): Promise<void>
}

/** Maximum size of a single PutObject (bytes): above Rekognition's 15 MB, so that its error can be reproduced. */
const maxUploadBytes = 256 * 1024 * 1024

export interface StorageOptions {
  /** The address for clients: http://HOST:PORT */
  url: string
  /** undefined = in memory */
  dataDir: string | undefined
}

/**
 * S3 and SQS by fauxqs, in memory or persisted in `dataDir` across restarts (a SQLite file).
 *
 * @throws {ImgpipeError} `disk` when `dataDir` cannot be created or used
 */
export async function openStorage({ url, dataDir }: StorageOptions): Promise<Storage> {
  const stores = await createStores()
  const persistence = dataDir === undefined ? undefined : await openPersistence(dataDir, stores, url)
  listInKeyOrder(stores.s3Store)
  // Without a configured host, a queue's URL has the host of the request that created the queue. fauxqs's default
  // (sqs.REGION.localhost) resolves on few machines, and most SDKs send to the host of the queue's URL.
  stores.sqsStore.host = ''
  const app = buildApp({ logger: false, stores })
  acceptLargeUploads(app)
  rejectOverwrites(app, stores.s3Store)
  await app.ready()
  return {
    app,
    objects: storedObjects(stores.s3Store),
    close: async () => {
      await app.close()
      persistence?.close()
    },
  }
}

/** fauxqs does not export its stores, which are needed for persistence and for reading objects. */
async function createStores(): Promise<FauxqsStores> {
  const { SqsStore } = await fauxqsModule<{ SqsStore: new () => FauxqsStores['sqsStore'] }>('sqs/sqsStore.js')
  const { SnsStore } = await fauxqsModule<{ SnsStore: new () => FauxqsStores['snsStore'] }>('sns/snsStore.js')
  const { S3Store } = await fauxqsModule<{ S3Store: new () => S3Store }>('s3/s3Store.js')
  return { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() }
}

async function fauxqsModule<Exports>(path: string): Promise<Exports> {
  return import(new URL(path, import.meta.resolve('fauxqs')).href)
}

/** Loads the persisted state, then enables persistence: in the other order, loading would write everything again. */
async function openPersistence(
  dataDir: string,
  stores: FauxqsStores,
  url: string,
): Promise<FauxqsPersistence> {
  const { PersistenceManager } = await fauxqsModule<{
    PersistenceManager: new (dataDir: string) => FauxqsPersistence
  }>('persistence.js')
  try {
    const persistence = new PersistenceManager(dataDir)
    load(persistence, stores, url)
    return persistence
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `The local cloud cannot store its data in ${dataDir}: ${why}. Specify a writable directory.`
    throw new ImgpipeError('disk', message, { cause })
  }
}

function load(persistence: FauxqsPersistence, stores: FauxqsStores, url: string): void {
  const { sqsStore, snsStore, s3Store } = stores
  const createQueue = sqsStore.createQueue.bind(sqsStore)
  // A queue's URL is stored with the port of the process that created it.
  sqsStore.createQueue = (name, saved, ...rest) => createQueue(name, url + new URL(saved).pathname, ...rest)
  persistence.load(sqsStore, snsStore, s3Store)
  sqsStore.createQueue = createQueue
  sqsStore.persistence = persistence
  snsStore.persistence = persistence
  s3Store.persistence = persistence
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence
}

/** fauxqs limits uploads to 11 MiB. */
function acceptLargeUploads(app: FauxqsApp): void {
  app.removeContentTypeParser('*')
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxUploadBytes }, (_request, body, done) => {
    done(null, body)
  })
}

/** With `If-None-Match: *`, S3 writes an object only if the key does not exist; fauxqs 2.4.1 ignores the header. */
function rejectOverwrites(app: FauxqsApp, store: S3Store): void {
  const objects = storedObjects(store)
  // Nothing runs between this hook and fauxqs's own handler, so one of two concurrent writers wins.
  app.addHook('preHandler', ({ method, headers, params }, reply, done) => {
    if (method !== 'PUT' || headers['if-none-match'] !== '*') return done()
    const { bucket = '', '*': key = '' } = params as Record<string, string>
    if (objects.size(bucket, key) === undefined) return done()
    const why =
      '<Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold</Message>'
    reply.code(412).type('application/xml').send(`<Error>${why}</Error>`)
  })
}

function storedObjects(store: S3Store): StoredObjects {
  return {
    size: (bucket, key) => undefinedIfNotFound(() => store.headObject(bucket, key).contentLength),
    bytes: (bucket, key) => undefinedIfNotFound(() => store.getObject(bucket, key).body),
  }
}

function undefinedIfNotFound<Found>(read: () => Found): Found | undefined {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'NoSuchBucket' || code === 'NoSuchKey') return undefined
    throw error
  }
}
