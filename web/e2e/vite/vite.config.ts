import { defineConfig } from "vite";

export default defineConfig({
  server: {
    // The page calls createConnection("/rpc"), as it does when the Go server serves it.
    proxy: { "/rpc": { target: "http://localhost:8080", ws: true } },
  },
});
