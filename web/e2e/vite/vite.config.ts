import { defineConfig } from "vite";

export default defineConfig({
  server: {
    // The page says createConnection("/rpc"), as it does where the Go server hands it out.
    proxy: { "/rpc": { target: "http://localhost:8080", ws: true } },
  },
});
