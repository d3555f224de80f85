/**
 * Loaded into the demo's workers before the program: a worker whose demo is gone, however that ended, would go
 * on asking a cloud that is no more. The channel to the demo ends with it; then the worker stops too.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
