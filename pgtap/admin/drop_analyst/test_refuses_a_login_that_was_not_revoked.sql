begin;
select plan(7);

select act_as('dba');
create role somebody nologin;
create role member login in role leads_bi;
create role chief nologin createrole in role leads_bi;
select make_analyst('ana');
select throws_ok(format('select admin.drop_analyst(%L)', r.login), 'PT409', 'analyst_not_revoked', r.login)
from (values (login('ana')), ('somebody'), ('member'), ('chief'), ('leads_owner'), ('leads_bi')) as r (login);
select has_role(login('ana')::name, 'ana''s login stands');

select * from finish();
rollback;
