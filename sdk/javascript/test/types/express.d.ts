// Express, as far as the guide's example needs it.
declare module 'express' {
  interface Request {
    headers: Record<string, string | string[] | undefined>;
    body: any;
  }
  interface Response {
    status(code: number): Response;
    send(body: string): Response;
  }
  type Handler = (req: Request, res: Response) => unknown;
  function express(): { post(path: string, ...handlers: Handler[]): void };
  namespace express {
    function raw(options: { type: string }): Handler;
  }
  export default express;
}

declare function processWebhook(event: unknown): Promise<void>;
