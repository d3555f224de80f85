/**
 * Loaded into the demo's workers before the program: a worker whose demo has ended, in whatever way, would keep calling a
 * cloud that no longer exists. The IPC channel to the demo closes with it; then the worker shuts down too.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
