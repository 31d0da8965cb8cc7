/** Resolves once the tasks that the runtime has queued so far, such as events to tell, are through; sooner than a timer. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    // In Node.js a port that listens would keep the process alive.
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
