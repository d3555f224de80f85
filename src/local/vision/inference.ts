import type { InferenceSession } from 'onnxruntime-node'

/** One thread per session: images are processed in parallel, each in its own worker thread. */
export const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
}
