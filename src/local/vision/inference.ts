import type { InferenceSession } from 'onnxruntime-node'

/** One thread per session: pictures go in parallel, each on a worker thread of its own. */
export const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
}
