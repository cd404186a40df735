import { createConnection } from "@parley-rpc/client";
import { App } from "./app.js";
import { Breaker } from "./breaker.js";

const breaker = new Breaker();
new App(createConnection("/rpc", breaker.options), () => breaker.cut());
