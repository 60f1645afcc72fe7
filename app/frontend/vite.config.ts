import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react(), tailwindcss(), fontLicense(), precompress()],
  // What is none of the sources comes from a cluster: `cargo xtask watch`.
  server: { proxy: proxied(process.env.CLUSTER) },
  build: {
    // The content security policy of nginx.conf allows no data: URLs but for images.
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: "src/test/setup.ts",
    restoreMocks: true,
    // A busy machine takes its time.
    testTimeout: 20_000,
    unstubGlobals: true,
  },
});

/** The API of a stack, and what its site is told about it. */
function proxied(cluster?: string) {
  return cluster ? { "^/(api/|docs|config\\.json)": { target: cluster } } : {};
}

/** The licence of the font goes where the font goes; those of the programs, Vite collects. */
function fontLicense(): Plugin {
  return {
    name: "font-license",
    apply: "build",
    async generateBundle() {
      const source = await readFile("node_modules/@fontsource-variable/inter/LICENSE");
      this.emitFile({ type: "asset", fileName: "inter-license.txt", source });
    },
  };
}

/** Puts a smaller copy beside each file of text, which nginx sends to browsers that take it. */
function precompress(): Plugin {
  let folder = "";
  const smaller = (text: Buffer) => promisify(gzip)(text, { level: constants.Z_BEST_COMPRESSION });
  return {
    name: "precompress",
    apply: "build",
    configResolved({ build }) {
      folder = build.outDir;
    },
    async closeBundle() {
      for (const name of await readdir(folder, { recursive: true })) {
        if (!/\.(css|html|js|svg)$/.test(name)) continue;
        const path = join(folder, name);
        const text = await readFile(path);
        if (text.length > 1024) await writeFile(`${path}.gz`, await smaller(text));
      }
    },
  };
}
