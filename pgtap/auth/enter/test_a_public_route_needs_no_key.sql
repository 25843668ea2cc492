begin;
select plan(3);

select act_as('stranger');
select lives_ok($$select auth.enter(null, 'a-request', null, true)$$, 'without a key');
select lives_ok($$select auth.enter(encode(sha256('unknown'), 'hex'), 'a-request', null, true)$$, 'with an unknown key');
select is(api.get_health(), null, 'there is no organization');

select * from finish();
rollback;
