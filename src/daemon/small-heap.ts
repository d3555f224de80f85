import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Has V8 prefer memory over speed: by itself it lets a busy worker's heap grow to three times of what is in
 * use before it tidies up, and a t2.micro has 1 GB for everything. The first collection is asked for, because
 * V8's limit before it knows nothing of this heap; each next one comes when what is in use has grown by the
 * percentage. `npm run bench -- memory` shows the effect.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=40')
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
}
