begin;
select plan(1);

select act_as('dba');
create role an_expired_one login in role leads_bi;
insert into auth.analyst (organization_id, role_oid, role_name, expires_at)
select organization('alice'), r.oid, r.rolname, date_trunc('milliseconds', now())
from pg_roles as r
where r.rolname = 'an_expired_one';
select act_as('operator');
select is((select a.state from admin.analysts() as a where a.login = 'an_expired_one'), 'expired', 'expired at the time of expiry');

select * from finish();
rollback;
