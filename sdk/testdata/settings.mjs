// Makes a client with each of the settings on standard input, and prints what it says of those that it refuses, else null.
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const { VideoCloud } = await import(pathToFileURL(process.argv[2]));
const said = JSON.parse(await text(process.stdin)).map(({ apiKey = 'your_api_key', account, baseUrl }) => {
  try {
    new VideoCloud({ apiKey, account, baseUrl });
    return null;
  } catch (error) {
    return `${error.stack}`;
  }
});
console.log(JSON.stringify(said));
