begin;
select plan(1);

select throws_ok($$delete from app.organization$$, '23503', null, 'an organization without leads');

select * from finish();
rollback;
