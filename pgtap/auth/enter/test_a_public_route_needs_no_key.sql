begin;
select plan(3);

select act_as('stranger');
select lives_ok($$select auth.enter(null, 'a-request', null, true)$$, 'without a key');
select lives_ok($$select auth.enter(encode(sha256('unknown'), 'hex'), 'a-request', null, true)$$, 'with any');
select is(api.get_health(), null, 'and proves nothing');

select * from finish();
rollback;
