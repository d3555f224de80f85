import { type BuildAppOptions, buildApp } from 'fauxqs'
import { listInKeyOrder } from './storage-listing.ts'

type FauxqsStores = NonNullable<BuildAppOptions['stores']>
type FauxqsPersistence = NonNullable<FauxqsStores['sqsStore']['persistence']>
export type S3Store = FauxqsStores['s3Store']
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

/**
 * S3 and SQS by fauxqs, in memory, or kept under `dataDir` over restarts (a SQLite file).
 *
 * @throws {Error} when `dataDir` cannot be made or written
 */
export async function openStorage(dataDir?: string): Promise<Storage> {
  const stores = await makeStores()
  const persistence = dataDir === undefined ? undefined : await keepUnder(dataDir, stores)
  listInKeyOrder(stores.s3Store)
  // Without a host of its own a queue's URL names the host of the request that made the queue. fauxqs's default
  // (sqs.REGION.localhost) resolves on few machines, and most SDKs send to the host of the queue's URL.
  stores.sqsStore.host = ''
  const app = buildApp({ logger: false, stores })
  acceptLargeUploads(app)
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
async function keepUnder(dataDir: string, stores: FauxqsStores): Promise<FauxqsPersistence> {
  const { PersistenceManager } = await fauxqsModule<{
    PersistenceManager: new (dataDir: string) => FauxqsPersistence
  }>('persistence.js')
  const persistence = new PersistenceManager(dataDir)
  const { sqsStore, snsStore, s3Store } = stores
  persistence.load(sqsStore, snsStore, s3Store)
  sqsStore.persistence = persistence
  snsStore.persistence = persistence
  s3Store.persistence = persistence
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence
  return persistence
}

/** fauxqs stops reading an upload at 11 MiB. */
function acceptLargeUploads(app: FauxqsApp): void {
  app.removeContentTypeParser('*')
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxUploadBytes }, (_request, body, done) => {
    done(null, body)
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
