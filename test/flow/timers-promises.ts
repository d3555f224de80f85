/**
 * `setTimeout` of `node:timers/promises` on the global timers, which fake timers replace: for
 * `vi.mock('node:timers/promises', () => import('./timers-promises.ts'))`.
 */
export function setTimeout<T>(
  ms?: number,
  value?: T,
  options: { signal?: AbortSignal } = {},
): Promise<T | undefined> {
  const { signal } = options
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer)
      reject(new DOMException('aborted', 'AbortError'))
    }
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve(value)
    }, ms)
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
  })
}
