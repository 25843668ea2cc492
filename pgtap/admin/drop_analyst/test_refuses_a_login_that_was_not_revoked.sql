begin;
select plan(8);

select act_as('dba');
create role somebody nologin;
create role member login in role leads_bi;
create role chief nologin createrole in role leads_bi;
select make_analyst('ana');
select throws_ok(format('select admin.drop_analyst(%L)', r.login), 'PT409', 'analyst_not_revoked', r.login)
from (values (login('ana')), ('somebody'), ('member'), ('chief'), ('leads_owner'), ('leads_bi')) as r (login);
select act_as('dba');
do $$
begin
  execute format('alter role %I nologin', login('ana'));
end
$$;
select act_as('migrator');
select throws_ok(
  $$select admin.drop_analyst(login('ana'))$$, 'PT409', 'analyst_not_revoked', 'set to NOLOGIN by hand and still bound'
);
select has_role(login('ana')::name, 'ana''s login still exists');

select * from finish();
rollback;
