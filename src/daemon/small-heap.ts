import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 prefer memory over speed: by itself it lets a busy worker's heap grow to three times of what is in
 * use before it tidies up, and a t2.micro has 1 GB for everything. `npm run bench -- memory` shows the effect.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--optimize-for-size')
}
