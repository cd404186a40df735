import { join } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  resolve: { alias: { "@parley-rpc/client": join(import.meta.dirname, "../client/src/index.ts") } },
  build: {
    // The Go program of the chat has these files inside.
    outDir: process.env.CHAT_OUT ?? join(import.meta.dirname, "../../examples/chat/page/built"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    rollupOptions: { output: { entryFileNames: "chat.js", assetFileNames: "chat.[ext]" } },
  },
});
