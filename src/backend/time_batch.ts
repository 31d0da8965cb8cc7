/** The milliseconds between two time stamps around what `queue` records. */
export async function timeBatch(
  device: GPUDevice,
  order: { submit(): void; betweenPasses(): GPUCommandEncoder },
  queue: () => void,
): Promise<number> {
  order.submit();
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const stamp = (timestampWrites: GPUComputePassTimestampWrites) => {
    order.betweenPasses().beginComputePass({ timestampWrites }).end();
  };
  stamp({ querySet, beginningOfPassWriteIndex: 0 });
  queue();
  stamp({ querySet, endOfPassWriteIndex: 1 });
  const size = 16;
  const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const mapped = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const encoder = order.betweenPasses();
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, mapped, 0, size);
  order.submit();
  await mapped.mapAsync(GPUMapMode.READ);
  const [begin = 0n, end = 0n] = new BigUint64Array(mapped.getMappedRange());
  for (const resource of [querySet, resolved, mapped]) resource.destroy();
  return Number(end - begin) / 1e6;
}
