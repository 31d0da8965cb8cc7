/** README.md's hook without React, which is no dependency of this project. */

/**
 * As much of React as a hook without dependencies needs: state that renders again, and effects that run, are cleaned up
 * and run again, as under StrictMode.
 */
export const STRICT_REACT = `
const states = [];
let effects = [];
let next;
let render;
export function useState() {
  const i = next++;
  return [states[i], (value) => { states[i] = value; render(); }];
}
export function useEffect(effect, { length }) {
  if (length > 0) throw new Error('effects with dependencies are not there');
  effects?.push(effect);
}
export function mount(component) {
  render = () => { next = 0; component(); };
  render();
  const mounted = effects;
  effects = undefined;
  const cleanUps = mounted.map((effect) => effect());
  for (const cleanUp of cleanUps) cleanUp?.();
  for (const effect of mounted) effect();
}
`;

/** The page's module: it prints the backend of README.md's hook, and how many devices were made for it. */
export const USE_HOOK = `
import { mount } from 'react';
import { useBackend } from './use_backend.js';
const { requestDevice } = GPUAdapter.prototype;
let devices = 0;
GPUAdapter.prototype.requestDevice = function (...args) {
  devices++;
  return requestDevice.apply(this, args);
};
mount(() => {
  const backend = useBackend();
  if (backend) console.log(backend + ', devices made: ' + devices);
});
`;
