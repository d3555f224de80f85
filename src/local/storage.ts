import { type BuildAppOptions, buildApp } from 'fauxqs'
import { ImgpipeError } from '../host/exit-codes.ts'
import { listInKeyOrder, type S3Store } from './storage-listing.ts'

type FauxqsStores = NonNullable<BuildAppOptions['stores']>
type FauxqsPersistence = NonNullable<FauxqsStores['sqsStore']['persistence']>
export type FauxqsApp = ReturnType<typeof buildApp>

/** What Rekognition reads of S3: the object's size before its bytes, for too large ones are never loaded. */
export interface StoredObjects {
  /** @returns undefined when there is no such bucket or no such key */
  size(bucket: string, key: string): number | undefined
  /** @returns undefined when there is no such bucket or no such key */
  bytes(bucket: string, key: string): Uint8Array | undefined
}

export interface Storage {
  /** fauxqs: answers the requests for S3 and SQS. */
  readonly app: FauxqsApp
  readonly objects: StoredObjects
  close(): Promise<void>
}

/** The largest single PutObject (bytes): over Rekognition's 15 MB, so that its refusal can be seen. */
const maxUploadBytes = 256 * 1024 * 1024

export interface StorageOptions {
  /** Where clients reach it: http://HOST:PORT */
  url: string
  /** undefined = in memory */
  dataDir: string | undefined
}

/**
 * S3 and SQS by fauxqs, in memory, or kept under `dataDir` over restarts (a SQLite file).
 *
 * @throws {ImgpipeError} `disk` when `dataDir` cannot be made or used
 */
export async function openStorage({ url, dataDir }: StorageOptions): Promise<Storage> {
  const stores = await makeStores()
  const persistence = dataDir === undefined ? undefined : await keepUnder(dataDir, stores, url)
  listInKeyOrder(stores.s3Store)
  // Without a host of its own a queue's URL names the host of the request that made the queue. fauxqs's default
  // (sqs.REGION.localhost) resolves on few machines, and most SDKs send to the host of the queue's URL.
  stores.sqsStore.host = ''
  const app = buildApp({ logger: false, stores })
  acceptLargeUploads(app)
  refuseOverwriting(app, stores.s3Store)
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

/** fauxqs exports no store, and without one of ours neither a data folder nor its objects can be reached. */
async function makeStores(): Promise<FauxqsStores> {
  const { SqsStore } = await fauxqsModule<{ SqsStore: new () => FauxqsStores['sqsStore'] }>('sqs/sqsStore.js')
  const { SnsStore } = await fauxqsModule<{ SnsStore: new () => FauxqsStores['snsStore'] }>('sns/snsStore.js')
  const { S3Store } = await fauxqsModule<{ S3Store: new () => S3Store }>('s3/s3Store.js')
  return { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() }
}

async function fauxqsModule<Exports>(path: string): Promise<Exports> {
  return import(new URL(path, import.meta.resolve('fauxqs')).href)
}

/** Loads what a former run left, then has every change written: in this order, or the loading would rewrite it. */
async function keepUnder(dataDir: string, stores: FauxqsStores, url: string): Promise<FauxqsPersistence> {
  const { PersistenceManager } = await fauxqsModule<{
    PersistenceManager: new (dataDir: string) => FauxqsPersistence
  }>('persistence.js')
  try {
    const persistence = new PersistenceManager(dataDir)
    load(persistence, stores, url)
    return persistence
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `The local cloud cannot keep its data in ${dataDir}: ${why}; give a folder that it may write.`
    throw new ImgpipeError('disk', message, { cause })
  }
}

function load(persistence: FauxqsPersistence, stores: FauxqsStores, url: string): void {
  const { sqsStore, snsStore, s3Store } = stores
  const createQueue = sqsStore.createQueue.bind(sqsStore)
  // A queue's URL is kept with the port of the run that made it.
  sqsStore.createQueue = (name, saved, ...rest) => createQueue(name, url + new URL(saved).pathname, ...rest)
  persistence.load(sqsStore, snsStore, s3Store)
  sqsStore.createQueue = createQueue
  sqsStore.persistence = persistence
  snsStore.persistence = persistence
  s3Store.persistence = persistence
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence
}

/** fauxqs stops reading an upload at 11 MiB. */
function acceptLargeUploads(app: FauxqsApp): void {
  app.removeContentTypeParser('*')
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxUploadBytes }, (_request, body, done) => {
    done(null, body)
  })
}

/** S3 writes an object with `If-None-Match: *` only when its key has none yet; fauxqs 2.4.1 writes it always. */
function refuseOverwriting(app: FauxqsApp, store: S3Store): void {
  const objects = storedObjects(store)
  // Between this and fauxqs's own handler nothing else runs, so that of two writers one is first.
  app.addHook('preHandler', ({ method, headers, params }, reply, done) => {
    if (method !== 'PUT' || headers['if-none-match'] !== '*') return done()
    const { bucket = '', '*': key = '' } = params as Record<string, string>
    if (objects.size(bucket, key) === undefined) return done()
    const why = '<Code>PreconditionFailed</Code><Message>The key has an object already.</Message>'
    reply.code(412).type('application/xml').send(`<Error>${why}</Error>`)
  })
}

function storedObjects(store: S3Store): StoredObjects {
  return {
    size: (bucket, key) => unlessMissing(() => store.headObject(bucket, key).contentLength),
    bytes: (bucket, key) => unlessMissing(() => store.getObject(bucket, key).body),
  }
}

function unlessMissing<Found>(read: () => Found): Found | undefined {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'NoSuchBucket' || code === 'NoSuchKey') return undefined
    throw error
  }
}
