import { expect } from 'chai';
import { backendName, submit, target, tf, webgpuBackend, webgpuDevice } from '../support/backend.js';
import { expectNoLeak } from '../support/golden.js';

/** The members that `WebGPUBackendInternals` names; a version of tfjs that changes one fails here, not in training. */
if (backendName === 'webgpu') {
  describe("tfjs's WebGPUBackend", () => {
    it('is the version that the runtime was written for', () => {
      expect(tf.version['tfjs-core']).to.match(/^4\.22\./);
    });

    it('has the methods that the runtime calls', () => {
      const backend = webgpuBackend();
      const methods = [
        'makeTensorInfo',
        'uploadToGPU',
        'shouldExecuteOnCPU',
        'disposeData',
        'ensureCommandEncoderReady',
        'endComputePassEncoder',
        'submitQueue',
        'getQueryTime',
      ] as const;
      for (const name of methods) expect(backend[name], name).to.be.a('function');
    });

    it('has the state that the runtime uses', () => {
      submit();
      const backend = webgpuBackend();
      expect(backend.device).to.equal(webgpuDevice());
      expect(backend.commandEncoder, 'commandEncoder').to.equal(null);
      expect(backend.computePassEncoder, 'computePassEncoder').to.equal(null);
      expect(backend.dispatchCountInPass, 'dispatchCountInPass').to.equal(0);
      // registerWebGPUBackend puts something else in its place.
      const owned = target === 'webgpu' ? Object : WeakSet;
      expect(backend.commandQueueOwnedIds, 'commandQueueOwnedIds').to.be.instanceOf(owned);
      expect(backend.activeTimers ?? null, 'activeTimers').to.equal(null);
      expect(backend.supportTimestampQuery, 'supportTimestampQuery').to.be.a('boolean');
      expect(backend, 'querySet').to.have.property('querySet');
      expect(backend.querySetCount, 'querySetCount').to.equal(2);
    });

    it('counts dispatches, and starts again after a submit', () => {
      expectNoLeak(() => {
        submit();
        const backend = webgpuBackend();
        const x = tf.fill([8], 2);
        expect(backend.commandEncoder).to.be.instanceOf(GPUCommandEncoder);
        expect(backend.computePassEncoder).to.be.instanceOf(GPUComputePassEncoder);
        expect(backend.dispatchCountInPass).to.equal(1);
        expect(backend.commandQueueOwnedIds.has(x.dataId)).to.equal(target !== 'webgpu');
        submit();
        expect(backend.commandQueueOwnedIds.has(x.dataId)).to.equal(false);
        expect([backend.commandEncoder, backend.computePassEncoder, backend.dispatchCountInPass]).to.deep.equal([
          null,
          null,
          0,
        ]);
        x.dispose();
      });
    });

    it("keeps a tensor's data as the runtime expects", async () => {
      await expectNoLeak(async () => {
        const backend = webgpuBackend();
        const x = tf.tensor1d([1, 2, 3]);
        const data = backend.tensorMap.get(x.dataId);
        expect(data.refCount).to.equal(1);
        expect([...(data.values as Float32Array)]).to.deep.equal([1, 2, 3]);
        backend.uploadToGPU(x.dataId);
        expect(data.resource).to.be.instanceOf(GPUBuffer);
        // Ours come in sizes that tensors share.
        expect((data.resource as GPUBuffer).size).to.equal(target === 'webgpu' ? 256 : 12);
        expect(data.values).to.equal(null);
        const clone = x.clone();
        expect(data.refCount).to.equal(2);
        clone.dispose();
        expect(data.refCount).to.equal(1);
        await x.data();
        expect([...(data.values as Float32Array)], 'remembered after a read').to.deep.equal([1, 2, 3]);
        x.dispose();
      });
    });

    it('hands its timers to kernels while tf.time runs', async () => {
      await expectNoLeak(async () => {
        let timers: unknown;
        await tf.time(() => {
          tf.dispose(tf.fill([4], 1));
          timers = webgpuBackend().activeTimers;
        });
        expect(timers).to.be.an('array').with.lengthOf(1);
        const [timer] = timers as Array<{ name: string; query: Promise<number> }>;
        expect(timer!.name).to.be.a('string');
        expect(await timer!.query).to.be.at.least(0);
      });
    });
  });
}
