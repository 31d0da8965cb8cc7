import * as fs from 'node:fs/promises';
import path from 'node:path';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const elsewhere = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

async function firstFile(files) {
  for (const file of files) {
    const found = await fs.stat(file).catch(() => undefined);
    if (found?.isFile()) {
      return file;
    }
  }
}

/** The path of a browser of the Chromium family: CHROME_BIN, or else one that is installed; undefined without any. */
export async function findBrowser() {
  if (process.env.CHROME_BIN) {
    return firstFile([process.env.CHROME_BIN]);
  }
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return firstFile([...names.flatMap((name) => folders.map((folder) => path.join(folder, name))), ...elsewhere]);
}

/**
 * SwiftShader, Vulkan on the CPU, which comes with Chromium: `driver` is the file for VK_ICD_FILENAMES, `loader` is
 * Chromium's own copy of the Vulkan loader, where it has one. undefined without such a Chromium.
 */
export async function findSwiftShader() {
  const browser = await findBrowser();
  const beside = browser ? [path.dirname(await fs.realpath(browser))] : [];
  const folders = [...beside, '/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'];
  const driver = await firstFile(folders.map((folder) => path.join(folder, 'vk_swiftshader_icd.json')));
  return driver && { driver, loader: await firstFile([path.join(path.dirname(driver), 'libvulkan.so.1')]) };
}

/**
 * A feature of Dawn's that is turned off on SwiftShader. With it SwiftShader writes the zeros that workgroup memory begins with
 * by an instruction for each element, and takes twice as long to compile a matmul; without it the shader has a loop.
 */
export const SLOW_ON_SWIFTSHADER = 'use_vulkan_zero_initialize_workgroup_memory_extension';

/** Has Chromium's WebGPU run on SwiftShader. */
export const swiftShaderFlags = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  `--disable-dawn-features=${SLOW_ON_SWIFTSHADER}`,
];
