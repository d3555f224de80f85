/**
 * Preloaded into the demo's workers: without it, a worker would outlive its demo and keep calling a cloud that no longer
 * exists. The IPC channel closes when the demo ends, however it ends; the worker then shuts down too.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
