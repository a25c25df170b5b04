// What stands in front of a Worker: it says in which data centre it runs (`request.cf.colo`), and names that in `cf-ray`.
export default {
  async fetch(request, env) {
    const came = await env.WORKER.fetch(new Request(request, { cf: { colo: env.COLO } }));
    const response = new Response(came.body, came);
    response.headers.set("cf-ray", `${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}-${env.COLO}`);
    return response;
  },
};
