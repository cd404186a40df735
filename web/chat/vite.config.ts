import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

// The files have the same names each time, and the same bytes: they are in git, beside the server that has them in it.
export default defineConfig({
  root: path("."),
  base: "./",
  resolve: { alias: { "@parley-rpc/client": path("../client/src/index.ts") } },
  build: {
    outDir: process.env.CHAT_OUT ?? path("../../examples/chat/page/built"),
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    target: "es2022",
    rollupOptions: { output: { entryFileNames: "chat.js", assetFileNames: "chat[extname]" } },
  },
});
