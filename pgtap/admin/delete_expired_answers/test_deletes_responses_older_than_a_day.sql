begin;
select plan(7);

insert into app.idempotency_key (organization_id, key_digest, request_digest, created_at)
select organization(a), sha256(convert_to(a || age, 'UTF8')), sha256('b'), now() - age::interval
from unnest('{alice,bob}'::text[]) as a, unnest('{23 hours 59 minutes,24 hours 1 minute,2 days,1 second}'::text[]) as age;
set local session authorization leads_worker;
select is(admin.delete_expired_answers(0), 0, 'an empty batch');
select is(admin.delete_expired_answers(3), 3, 'at most one batch, of all organizations');
select is(admin.delete_expired_answers(3), 1, 'the remaining rows');
select is(admin.delete_expired_answers(3), 0, 'no rows are left');
select act_as('dba');
select is((select count(*) from app.idempotency_key), 4::bigint, 'younger responses are kept');
select is_empty($$select * from app.idempotency_key as k where k.created_at < now() - interval '24 hours'$$, 'every older response is deleted');
select act_as('operator');
select throws_ok('select admin.delete_expired_answers(1)', '42501', null, 'only the worker can execute it');

select * from finish();
rollback;
